"""YOLO, versions 1 to 3 (Redmon et al. 2016; Redmon & Farhadi 2017, 2018)."""
