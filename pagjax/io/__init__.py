"""What people bring: folders of classes, lists of labels, pictures, data sets."""
