package authz

// located is where the selected parts of a JSON object stand in a key.
type located struct {
	parts   [maxLeaves]segment // by leaf; the zero segment is absent
	seen    uint64             // the objects on the way that were met
	last    int                // the leaf that was met last
	inOrder bool               // so far the leaves came in order
}

// segment is a stretch of the output.
type segment struct{ from, to int }

// selected encodes the parts of a JSON object that are selected, one after the other; all absent when there is no object.
func (c *canonicalizer) selected(s *selection, raw []byte) bool {
	if s.root.whole {
		return c.part(raw)
	}
	l, start := &c.located, len(c.out)
	clear(l.parts[:s.leaves])
	l.seen, l.last, l.inOrder = 0, -1, true
	if len(raw) > 0 {
		c.members = c.members[:0]
		end, ok := c.locate(&s.root, raw, 0, 0)
		if !ok || space(raw, end) != len(raw) {
			return false
		}
	}
	if l.inOrder {
		c.absent(s.leaves)
	} else {
		c.arrange(s.leaves, start)
	}
	return true
}

// arrange puts the parts, which begin at start of the output, into the order of the leaves.
func (c *canonicalizer) arrange(leaves, start int) {
	c.spare = append(c.spare[:0], c.out[start:]...)
	c.out = c.out[:start]
	for _, p := range c.located.parts[:leaves] {
		if p.to == 0 {
			c.out = append(c.out, tagAbsent)
			continue
		}
		c.out = append(c.out, c.spare[p.from-start:p.to-start]...)
	}
}

// locate encodes the parts below t of the value at raw[i:], in the order in which they come, and returns where the value
// ends. A part that is there twice is refused: which of them counts is not for the memo to say.
func (c *canonicalizer) locate(t *tree, raw []byte, i, depth int) (int, bool) {
	if t.whole {
		return c.leaf(t, raw, i)
	}
	l := &c.located
	met := l.seen&(1<<t.index) != 0
	l.seen |= 1 << t.index
	i = space(raw, i)
	if met || depth > maxDepth {
		return i, false
	}
	if i >= len(raw) || raw[i] != '{' {
		return skipValue(raw, i, depth)
	}
	return c.locateMembers(t, raw, i+1, depth)
}

func (c *canonicalizer) leaf(t *tree, raw []byte, i int) (int, bool) {
	l := &c.located
	if l.inOrder = l.inOrder && t.index > l.last; l.inOrder {
		c.absent(t.index)
	}
	from, ok := len(c.out), false
	if i = space(raw, i); i < len(raw) && raw[i] == '"' { // as most are
		c.out = append(c.out, tagString)
		i, ok = c.text(raw, i+1)
	} else {
		i, ok = c.value(raw, i, 0)
	}
	ok = ok && l.parts[t.index].to == 0
	l.parts[t.index] = segment{from, len(c.out)}
	l.last = t.index
	return i, ok
}

// absent encodes the leaves between the last one and the given one, which have not come.
func (c *canonicalizer) absent(before int) {
	for range before - c.located.last - 1 {
		c.out = append(c.out, tagAbsent)
	}
}

func (c *canonicalizer) locateMembers(t *tree, raw []byte, i, depth int) (int, bool) {
	i = space(raw, i)
	if i < len(raw) && raw[i] == '}' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = c.locateMember(t, raw, i, depth); !ok {
			return i, false
		}
		i = space(raw, i)
		switch {
		case i < len(raw) && raw[i] == ',':
			i++
		case i < len(raw) && raw[i] == '}':
			return i + 1, true
		default:
			return i, false
		}
	}
}

func (c *canonicalizer) locateMember(t *tree, raw []byte, i, depth int) (int, bool) {
	i = space(raw, i)
	if i >= len(raw) || raw[i] != '"' {
		return i, false
	}
	end, escaped, ok := text(raw, i+1)
	if !ok {
		return i, false
	}
	below, ok := t.find(raw[i+1:end-1], escaped)
	i = space(raw, end)
	if !ok || i >= len(raw) || raw[i] != ':' {
		return i, false
	}
	switch {
	case below == nil:
		return skipValue(raw, i+1, depth+1)
	case below.whole:
		return c.leaf(below, raw, i+1)
	}
	return c.locate(below, raw, i+1, depth+1)
}
