"""Widgets: the state of each as plain traits, and a thin view of core ipywidgets."""
