"""Certification of data sets: jobs, logs in Cohen et al.'s layout, tables and curves."""
