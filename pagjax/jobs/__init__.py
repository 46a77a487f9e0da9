"""Long work done safely: jobs that say what they are, resume, and leave records."""
