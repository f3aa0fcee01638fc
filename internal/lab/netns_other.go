//go:build !linux

package lab

// Host is a machine of its own; only Linux has network namespaces.
type Host struct{ Namespace string }

// sweepNamespaces has nothing to do here.
func sweepNamespaces() {}
