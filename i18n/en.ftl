# Why a reading is not good
reason-no-communication = no communication
reason-out-of-range = out of range
reason-stale = stale
reason-device-exception = device exception
reason-not-a-number = not a number
reason-bad-checksum = bad checksum
reason-last-known = last known value
reason-warming-up = warming up
reason-device-status = marked by the device
reason-quarantined = not asked: unit is silent
reason-input-quality = an input is not good
reason-wrong-length = answer of wrong length
reason-clock-step = clock was set
reason-imported = imported as such
