"""Is this machine, and this workspace, fit for weeks of GPU time? For `visionstudy doctor`."""
