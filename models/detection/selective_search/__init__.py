"""Selective search (Uijlings et al. 2013): boxes that may hold an object, found without learning.

segmentation  a picture in small areas of like pixels (Felzenszwalb & Huttenlocher 2004)
colours       the colour spaces that this is done in
regions       what is known of an area: its size, box, colours and texture
grouping      the most alike neighbours become one, again and again, until one area is left
search        all that in several ways; the boxes of every area there ever was
proposals     the same for the images of a batch, each searched once
"""
