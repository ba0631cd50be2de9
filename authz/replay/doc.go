// Package replay asks a candidate policy the questions that another one has answered, and lists every answer that would be
// different.
//
// It promises that a flip is one: the recorded question as a whole, decided by the candidate as the gateway would. What was
// withheld from the record is not guessed: questions for which the candidate reads what is not there are counted apart, as
// uncertain. It knows nothing of where recorded questions are kept.
package replay
