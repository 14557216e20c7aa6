"""What can be asked for, models and voices, over HTTP; imported when that is first asked for."""
