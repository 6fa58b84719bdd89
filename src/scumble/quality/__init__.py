"""What a render or a look is worth: qc, evaluation, certificate, reports."""
