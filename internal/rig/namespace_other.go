//go:build !linux

package rig

import (
	"context"
	"errors"
	"fmt"
)

// Namespace is a network of its own, which only Linux has.
type Namespace struct{}

// NewNamespace fails.
func NewNamespace(context.Context) (*Namespace, error) {
	return nil, fmt.Errorf("make a network namespace: %w", errors.ErrUnsupported)
}

// Close does nothing.
func (*Namespace) Close() error { return nil }

// Path is empty.
func (*Namespace) Path() string { return "" }

// Do fails.
func (*Namespace) Do(func() error) error { return errors.ErrUnsupported }

// Run fails.
func (*Namespace) Run(context.Context, string, ...string) (string, error) {
	return "", errors.ErrUnsupported
}
