// Package storetest holds what every implementation of a store must do, as tests that run against it, and the events that
// tests of the store are made of.
package storetest
