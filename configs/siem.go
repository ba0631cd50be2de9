package configs

import "time"

// SIEM is a receiver of audit events beside the database.
type SIEM struct {
	// Name is the receiver's in metrics, logs and files, made of letters,
	// digits, "_" and "-". A receiver of a new name is a new receiver.
	Name string `key:"name" required:"true"`
	// Type is what the receiver speaks: syslog (RFC 5424), splunk (HTTP Event
	// Collector), otlp (OpenTelemetry logs over HTTP) or webhook.
	Type string `key:"type" required:"true" enum:"syslog|splunk|otlp|webhook"`
	// URL is the receiver's address: tls://host:6514, tcp://host:601 or
	// udp://host:514 for syslog, https://host/path or http://host/path for the others.
	URL string `key:"url" required:"true"`
	// Format is the form of an event: json has the columns of the trail, ocsf is
	// the Open Cybersecurity Schema Framework.
	Format string `key:"format" default:"json" enum:"json|ocsf"`
	// TLS is how the receiver is verified, and what it is shown.
	TLS UpstreamTLS `key:"tls"`
	// MinSeverity is the lowest severity that is sent.
	MinSeverity string `key:"min_severity" default:"low" enum:"low|medium|high|critical"`
	// EventTypes lists the event types that are sent; empty sends all.
	EventTypes []string `key:"event_types"`
	// Begin is where a new receiver begins: with what comes from now on, or with
	// all that this gateway's spool has ever recorded.
	Begin string `key:"begin" default:"now" enum:"now|beginning"`
	// BatchEvents is the most events that are sent at once.
	BatchEvents int `key:"batch_events" default:"500" min:"10" max:"10000" unit:"events"`
	// BatchInterval is how long an event waits for others at most.
	BatchInterval time.Duration `key:"batch_interval" default:"1s" min:"10ms" max:"5m"`
	// Timeout bounds one attempt to send a batch, the wait for its
	// acknowledgement included.
	Timeout time.Duration `key:"timeout" default:"10s" min:"100ms" max:"5m"`
	// Token is the token of a Splunk collector, or sent to others over HTTP as
	// Authorization: Bearer.
	Token string `key:"token" secret:"true"`
	// Headers are further headers of every request over HTTP.
	Headers Object `key:"headers"`
	// Gzip compresses requests over HTTP.
	Gzip bool `key:"gzip" default:"false"`
	// SigningKey is the key of the HMAC-SHA-256 in X-Sark-Signature by which a
	// webhook knows that we have sent a request.
	SigningKey string `key:"signing_key" secret:"true"`
	// Array sends a webhook a JSON array instead of one JSON object a line.
	Array bool `key:"array" default:"false"`
	// Ack waits until Splunk's indexer has acknowledged a batch; the token has to
	// have indexer acknowledgement switched on.
	Ack bool `key:"ack" default:"false"`
	// Index, Source and SourceType are sent to Splunk with every event; empty
	// ones are those of the token.
	Index string `key:"index"`
	// Source is the source of events in Splunk.
	Source string `key:"source"`
	// SourceType is the source type of events in Splunk.
	SourceType string `key:"sourcetype"`
	// Facility is the syslog facility; 13 is "log audit".
	Facility int `key:"facility" default:"13" min:"0" max:"23"`
}
