"""Networks beside each other before anything is trained: what does each take?"""
