"""Long work done safely, whatever it is: processes, states, records, endings."""
