// Package redisguard keeps requests away from a Redis or Valkey server that is slow or gone, and asks the server what its
// users have to know.
//
// It promises that trouble costs a request one bounded wait, after which the server is left alone until it answers a PING
// in the background. It knows nothing of what is kept there.
package redisguard
