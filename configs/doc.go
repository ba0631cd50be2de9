// Package configs is the one place where SARK reads its configuration.
//
// [Load] merges, from the strongest to the weakest: command line flags,
// SARK_A_B_C variables, the variables that earlier deployments set (VALKEY_*
// before REDIS_*, then POSTGRES_*, HTTP_* and CACHE_*), the configuration
// file, a preset, and the defaults written beside each field of [Config]. It
// reports every mistake at once as [Issues], each with its key path and what
// to do about it, and remembers where each value came from.
//
// The struct tags of Config are the one table behind defaults, environment
// names, range checks, reload rules, redaction and docs/configuration.md:
//
//	key      name of the setting inside its section
//	default  value when nothing sets it, written as in the environment
//	reload   live (a reload applies it) or restart (a reload reports it)
//	env      further environment names, strongest first
//	enum     the values that are accepted, separated by |
//	min,max  inclusive bounds of a number, size or duration
//	off      the value that switches the setting off; it becomes the zero value
//	unit     unit of a plain number
//	secret   "true" hides the value, "url" hides the password inside it; both
//	         add a key with the suffix _file that names a file to read it from
//	single   a list that may also be written as one string
//	required an entry of a list is wrong without it
//
// The comment above a field is its text in the reference.
//
// The package knows nothing of what the settings do: it imports no other
// package of SARK, opens no connection, and reads no file but the
// configuration file and the files that _file keys name.
package configs

//go:generate go run ./internal/reference -dir . -out ../docs/configuration.md
