package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"sark/store"
)

// writes is one batch that writes several servers.
type writes struct {
	batch   pgx.Batch
	servers []*store.Server
	ends    []int // how many statements there are up to the end of each server
}

// add queues what writes a server; its first statement has to touch a row.
func (w *writes) add(s *store.Server, queue func(*pgx.Batch, *store.Server) error) error {
	w.servers = append(w.servers, s)
	if err := queue(&w.batch, s); err != nil {
		return w.failed(len(w.servers)-1, err)
	}
	w.ends = append(w.ends, w.batch.Len())
	return nil
}

// read returns the first thing that went wrong, as a store.ItemError.
func (w *writes) read(results pgx.BatchResults) error {
	done := 0
	for i, end := range w.ends {
		for first := done; done < end; done++ {
			tag, err := results.Exec()
			if err == nil && done == first && tag.RowsAffected() == 0 {
				err = store.ErrConflict
			}
			if err != nil {
				_ = results.Close() // says the same again
				return w.failed(i, named(err))
			}
		}
	}
	return results.Close()
}

func (w *writes) failed(i int, err error) error {
	return &store.ItemError{Index: i, Err: fmt.Errorf("server %q: %w", w.servers[i].Name, err)}
}
