"""Files: whole ones, locks, whose they are; class folders, lists of labels, pictures, data sets."""
