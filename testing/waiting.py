"""How long tests wait for what has to come."""

# Seconds. What has to come comes in a hundredth of them; a machine that is busy with other things fails no test.
LONGEST_WAIT = 600
