// Package aside bounds what a gateway sets aside: copies of damaged segments of its spool, events that the database can never
// take, events that a receiver refuses.
//
// It promises that these folders do not fill the disk that the spool needs, that what is oldest goes first, and that nothing
// goes without a word: each removal is counted, logged and told to whoever records it. It does not know what the files hold.
package aside
