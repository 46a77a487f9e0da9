"""What commands are told: types of values, and arguments that several commands share."""
