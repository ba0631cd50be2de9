// Package cachetest holds the suite that every cachemw.Backend must pass. A new backend passes it before it is used:
//
//	func TestMine(t *testing.T) {
//		cachetest.Run(t, newMine)
//		cachetest.RunBounded(t, newSmall)
//	}
package cachetest
