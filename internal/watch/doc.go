// Package watch notices that files have changed.
//
// It looks at them at intervals instead of waiting for notifications, which do not arrive from network and overlay file
// systems, and which say little about a file that is replaced as a whole: by a rename, or by the symbolic link ..data that
// Kubernetes switches on a mounted volume. What a state of the files is, and what to do about another one, the caller says.
package watch
