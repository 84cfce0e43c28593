"""What a kernel does before training starts. Standard library only.

`containerid.kaggle.kernel` writes these modules one after another into the kernel's source, without their imports of
each other: they share one namespace there, so no two of them may define the same name.
"""
