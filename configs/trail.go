package configs

import "time"

// Audit configures the way of an audit event from the request to the database.
type Audit struct {
	// SpoolDir is the directory of the spool, the disk queue before the
	// database. Empty takes the directory "spool" in data_dir.
	SpoolDir string `key:"spool_dir" reload:"restart"`
	// Durability is what a reply waits for: written survives a killed process,
	// durable also a power cut (fdatasync), auto is durable for denials, errors,
	// changes and calls of high sensitivity, and written for the rest.
	Durability string `key:"durability" default:"auto" reload:"restart" enum:"auto|written|durable"`
	// Intent says for which calls a record is written before the first upstream
	// byte: for those that may have effects, for all, or for none.
	Intent string `key:"intent" default:"effects" reload:"live" enum:"effects|all|none"`
	// OnFull says what happens when the spool is full, by max_bytes, max_age or
	// min_free: deny answers 503 and
	// forwards nothing, shed-low drops events of low severity and records the gap.
	OnFull string `key:"on_full" default:"deny" reload:"restart" enum:"deny|shed-low"`
	// OpenAfter is how long an exchange may stay open before it leaves an event
	// of its own, beside the one at its end.
	OpenAfter time.Duration `key:"open_after" default:"10s" reload:"live" min:"100ms" max:"1h"`
	// MaxBytes is the most disk that the spool may use.
	MaxBytes Bytes `key:"max_bytes" default:"1GiB" reload:"restart" min:"16MiB" max:"16TiB"`
	// MaxAge is for how long an event may wait for the database before the
	// spool counts as full.
	MaxAge time.Duration `key:"max_age" default:"0" reload:"restart" min:"1m" max:"8760h" off:"0"`
	// MinFree is how much of the spool's disk stays free: with less, the spool
	// counts as full.
	MinFree Bytes `key:"min_free" default:"64MiB" reload:"restart" min:"1MiB" max:"16TiB" off:"0"`
	// AsideMaxBytes bounds each of the folders in which the spool keeps what went
	// wrong: copies of damaged segments, events that the database can never take,
	// events that a receiver refuses. What is oldest is removed, which leaves an event.
	AsideMaxBytes Bytes `key:"aside_max_bytes" default:"256MiB" reload:"restart" min:"1MiB" max:"16TiB" off:"0"`
	// AsideMaxAge is how long such files are kept.
	AsideMaxAge time.Duration `key:"aside_max_age" default:"2160h" reload:"restart" min:"24h" max:"876000h" off:"0"`
	// RefusalsPerMinute bounds the events that callers who are not known leave
	// when they are refused, for each address and reason; further refusals are
	// counted in one event a minute.
	RefusalsPerMinute int `key:"refusals_per_minute" default:"600" reload:"restart" min:"1" max:"1000000" unit:"events" off:"0"`
	// DigestFile is a file to which the signed digest of each batch is added. On
	// a disk or mount that those who can write to the database cannot change, it
	// proves a trail that was cut off or written anew. Empty keeps none.
	DigestFile string `key:"digest_file" reload:"restart"`
	// HashKey is the key of the HMAC-SHA-256 under which arguments are recorded,
	// at least 32 bytes. Empty makes one in data_dir at the first start.
	HashKey string `key:"hash_key" reload:"restart" secret:"true"`
	// RecordArguments records the arguments themselves, redacted, beside their digest.
	RecordArguments bool `key:"record_arguments" default:"false" reload:"live"`
	// Redact lists the argument names whose values are never recorded, in any
	// case and at any depth.
	Redact []string `key:"redact" default:"[\"authorization\",\"password\",\"passwd\",\"secret\",\"token\",\"api_key\",\"apikey\",\"private_key\",\"credential\",\"credentials\"]" reload:"live"`
	// BatchRows is the most events in one COPY to the database.
	BatchRows int `key:"batch_rows" default:"5000" reload:"restart" min:"1" max:"5000" unit:"events"`
	// BatchInterval is the longest that an event waits for its batch to fill.
	BatchInterval time.Duration `key:"batch_interval" default:"250ms" reload:"restart" min:"1ms" max:"1m"`
	// Retention is how long events, and what was counted of them, stay in the
	// database; a gateway whose login owns the tables removes what is older.
	Retention time.Duration `key:"retention" default:"2160h" reload:"restart" min:"24h" max:"876000h" off:"-1"`
	// CompressAfter is the age at which chunks of the trail are compressed, where
	// the server is a TimescaleDB that can.
	CompressAfter time.Duration `key:"compress_after" default:"168h" reload:"restart" min:"1h" max:"876000h" off:"-1"`
	// SIEM lists the receivers to which events are sent as well. One that is
	// away holds up nothing: it gets its events later, from the database if need be.
	SIEM []SIEM `key:"siem" reload:"restart"`
}
