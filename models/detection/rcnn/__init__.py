"""R-CNN (Girshick et al. 2014): regions are cut out and classified one by one.

settings       what a study file may say
crops          regions, with what surrounds them, as pictures of one size
network        AlexNet on crops; SVMs and box regressors on its features
examples       what SVMs and regressors are fitted to, collected from the training images
linear_models  fitting one of them, by scikit-learn
fitting        fitting those of all classes
trainer        fine-tuning, then fitting, then scoring
"""
