"""What an evaluation states: one record for each statistic. To add one, add a field here."""
