# Beyond 1 to 100: seeds that found something once.
set(DUN_SIM_FOUND 5475,201085,202181,301210,301372,302628,401318,500973)
