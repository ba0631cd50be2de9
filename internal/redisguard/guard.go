package redisguard

import "fmt"

// guarded runs f in a goroutine of ours, where a panic would end the process: it is trouble like any other.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
