// Package charts holds the Helm chart of the gateway, and tests that render it, check what comes out against the types of
// Kubernetes, and load the configuration in it. It is a module of its own, so that Helm and Kubernetes stay out of the
// product's graph; `make chart` runs it.
package charts
