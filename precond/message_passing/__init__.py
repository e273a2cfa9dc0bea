"""What the networks of `spai` and `npo` share: the scaled operator in planes, and messages along its couplings."""
