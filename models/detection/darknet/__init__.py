"""Files of Darknet, the program that YOLO was published with: cfg, weights, class names."""
