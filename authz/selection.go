package authz

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

const (
	// maxLeaves is the number of parts of a JSON object that are selected one by one. With more, the object is taken whole.
	maxLeaves = 16
	// maxNodes bounds the objects on the way to them.
	maxNodes = 64
)

// selection names the parts of a JSON object that a policy reads. It is not changed once it is complete.
type selection struct {
	root   tree
	leaves int // parts that are read
	nodes  int // objects on the way to them
}

// tree is a value in a selection: read as a whole, or only some of its members.
type tree struct {
	whole bool
	index int // among the leaves when whole, else among the objects
	names []string
	keys  []*ast.Term // the names
	below []*tree
}

// with returns s with the part at p as well. A nil selection is empty.
func (s *selection) with(p inputPath) *selection {
	if s == nil {
		s = new(selection)
	}
	s.root.add(p)
	s.leaves, s.nodes = 0, 0
	s.number(&s.root)
	if s.leaves > maxLeaves || s.nodes > maxNodes {
		*s = selection{root: tree{whole: true}, leaves: 1}
	}
	return s
}

func (t *tree) add(p inputPath) {
	switch {
	case t.whole:
	case len(p) == 0:
		*t = tree{whole: true}
	default:
		t.member(p[0]).add(p[1:])
	}
}

// member returns the tree of a member, which it makes when there is none.
func (t *tree) member(name string) *tree {
	if i := slices.Index(t.names, name); i >= 0 {
		return t.below[i]
	}
	t.names, t.keys, t.below = append(t.names, name), append(t.keys, ast.StringTerm(name)), append(t.below, new(tree))
	return t.below[len(t.below)-1]
}

func (s *selection) number(t *tree) {
	if t.whole {
		t.index = s.leaves
		s.leaves++
		return
	}
	t.index = s.nodes
	s.nodes++
	for _, b := range t.below {
		s.number(b)
	}
}

// find returns what is selected of the member whose name is the inside of a JSON text; nil when nothing is.
func (t *tree) find(inside []byte, escaped bool) (found *tree, ok bool) {
	if !escaped {
		for i, name := range t.names {
			if string(inside) == name {
				return t.below[i], true
			}
		}
		return nil, true
	}
	var buf [64]byte
	plain, ok := appendUnescaped(buf[:0], inside)
	if !ok {
		return nil, false
	}
	return t.find(plain, false)
}
