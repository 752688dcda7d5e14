"""The console's screens and dialogs, one file each, imported when first opened."""
