# The Linux host: composition root.
