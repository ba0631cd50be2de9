package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// comments holds the text above each field, by key path.
type comments map[string]string

// readComments parses the package in dir and follows its struct Config.
func readComments(dir string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	structs := map[string]*ast.StructType{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		collectStructs(file, structs)
	}
	if structs["Config"] == nil {
		return nil, fmt.Errorf("no struct Config in %s", dir)
	}
	texts := comments{}
	texts.addFields(structs, "Config", "")
	return texts, nil
}

// collectStructs adds the struct types that a file declares.
func collectStructs(file *ast.File, structs map[string]*ast.StructType) {
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
}

// addFields adds the comments of a struct's fields, and of the structs below.
func (c comments) addFields(structs map[string]*ast.StructType, name, prefix string) {
	for _, field := range structs[name].Fields.List {
		path := prefix + tagKey(field)
		c[path] = subject(field.Names[0].Name, path, field.Doc.Text())
		switch t := field.Type.(type) {
		case *ast.Ident:
			if structs[t.Name] != nil {
				c.addFields(structs, t.Name, path+".")
			}
		case *ast.ArrayType:
			if element, ok := t.Elt.(*ast.Ident); ok && structs[element.Name] != nil {
				c.addFields(structs, element.Name, path+"[].")
			}
		}
	}
}

// tagKey returns the key tag of a field.
func tagKey(field *ast.Field) string {
	tag, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return ""
	}
	return reflect.StructTag(tag).Get("key")
}

// subject makes one paragraph of a comment and lets it begin with the key in
// place of the Go name.
func subject(field, path, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if rest, found := strings.CutPrefix(text, field+" "); found {
		return "`" + path[strings.LastIndex(path, ".")+1:] + "` " + rest
	}
	return text
}
