//go:build !linux

package gateway

// descriptorLimit is not known here.
func descriptorLimit() uint64 { return 0 }

// raiseDescriptors leaves the limit to the runtime, which raises it as far as it may.
func raiseDescriptors(uint64) uint64 { return 0 }
