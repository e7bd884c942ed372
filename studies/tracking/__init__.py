"""Follow the objects of a video from detections in a text file."""
