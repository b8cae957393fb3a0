"""The composition root: builds each part once, connects them, and takes them down in reverse.

In charge of what meets whom: parts meet here, through the callbacks that their constructors take. It must not decide
anything that a part could.
"""
