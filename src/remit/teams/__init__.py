"""Teams: several agents at one piece of work, as definitions that the runtime carries out under one run."""
