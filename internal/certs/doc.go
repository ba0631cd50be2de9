// Package certs keeps certificates that are read from files and change while they are in use: a certificate manager writes
// new ones, Kubernetes switches the ..data link of a mounted secret, an operator adds an authority.
//
// It promises that a pair which cannot be used never replaces one that can: what was read last and was good stays in
// force, and Err says what is wrong until the files are right again. Files are looked at when a connection is made, at most
// once in a while, so that there is nothing to start and nothing to stop. It knows nothing of who a certificate stands for.
package certs
