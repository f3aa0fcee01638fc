package gateway

import "syscall"

// descriptorLimit is how many descriptors the process may come to have: its hard limit. 0 means that nobody knows.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Max
}

// raiseDescriptors raises the limit of descriptors to the hard one, and where that is below want, both to want if the
// process may (root, up to fs.nr_open). It returns what it has come to, 0 if nobody knows.
func raiseDescriptors(want uint64) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	for _, to := range []uint64{max(want, limit.Max), limit.Max} {
		if to <= limit.Cur {
			break
		}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: to, Max: to}) == nil {
			return to
		}
	}
	return limit.Cur
}
