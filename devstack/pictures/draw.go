package pictures

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"regexp"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"holdfast/devstack/prom"
)

const (
	columns, rows = 2, 3
	// window is what rates are taken over: Grafana takes four scrapes.
	window = "2s"
	dpi    = 110
)

// palette has colours that people with any colour vision tell apart.
var palette = []color.Color{
	color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
	color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
	color.RGBA{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
	color.RGBA{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
	color.RGBA{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
	color.RGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xff},
	color.RGBA{R: 0x99, G: 0x99, B: 0x33, A: 0xff},
}

// draw draws the first curves of a dashboard, over the whole story.
func (s *studio) draw(ctx context.Context, dashboard, file string) error {
	d, err := prom.ReadDashboard(dashboard)
	if err != nil {
		return err
	}
	panels := make([][]*plot.Plot, rows)
	n := 0
	for _, panel := range d.Panels {
		if panel.Type != "timeseries" || n == rows*columns {
			continue
		}
		p, err := s.panel(ctx, panel)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", d.Title, panel.Title, err)
		}
		panels[n/columns] = append(panels[n/columns], p)
		n++
	}
	if n < rows*columns {
		return fmt.Errorf("%s has only %d panels of curves", d.Title, n)
	}
	canvas := vgimg.NewWith(vgimg.UseWH(26*vg.Centimeter, 20*vg.Centimeter), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(color.White))
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadTop: vg.Points(4), PadBottom: vg.Points(4), PadRight: vg.Points(10), PadLeft: vg.Points(4), PadX: vg.Points(14), PadY: vg.Points(12)}
	for row, places := range plot.Align(panels, tiles, draw.New(canvas)) {
		for column, place := range places {
			panels[row][column].Draw(place)
		}
	}
	f, err := os.Create(file) //nolint:gosec // the caller's own
	if err != nil {
		return err
	}
	_, err = vgimg.PngCanvas{Canvas: canvas}.WriteTo(f)
	return errors.Join(err, f.Close())
}

// panel draws what its expressions have.
func (s *studio) panel(ctx context.Context, panel prom.Panel) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = panel.Title
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xdd}, color.Gray{Y: 0xee}
	p.Add(grid)
	curves := 0
	for _, target := range panel.Targets {
		span := v1.Range{Start: s.began, End: s.began.Add(story.length()), Step: prom.Scrape}
		value, _, _, err := s.prometheus.QueryRange(ctx, prom.Expr(target.Expr, window), span)
		if err != nil {
			return nil, err
		}
		matrix, _ := value.(model.Matrix)
		for _, stream := range matrix {
			places, name := s.places(stream), legend(target.Legend, stream.Metric)
			if len(places) == 0 || name == "" || curves >= len(palette) { // without a name: nothing happened
				continue
			}
			line, err := plotter.NewLine(places)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = palette[curves], vg.Points(1.3)
			p.Add(line)
			p.Legend.Add(name, line)
			curves++
		}
	}
	style(p, panel.FieldConfig.Defaults.Unit)
	return p, nil
}

// places leaves out what is no number.
func (s *studio) places(stream *model.SampleStream) plotter.XYs {
	var places plotter.XYs
	for _, sample := range stream.Values {
		if y := float64(sample.Value); !math.IsNaN(y) && !math.IsInf(y, 0) {
			places = append(places, plotter.XY{X: sample.Timestamp.Time().Sub(s.began).Seconds(), Y: y})
		}
	}
	return places
}

var field = regexp.MustCompile(`{{(\w+)}}`)

// legend fills a panel's legend in, as Grafana does.
func legend(template string, labels model.Metric) string {
	return strings.TrimSpace(field.ReplaceAllStringFunc(template, func(name string) string {
		return string(labels[model.LabelName(field.FindStringSubmatch(name)[1])])
	}))
}

func style(p *plot.Plot, unit string) {
	text := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	p.Title.TextStyle.Font, p.Legend.TextStyle.Font = text(10), text(7)
	p.Title.Padding, p.Legend.Padding = vg.Points(4), vg.Points(1)
	p.Legend.Top, p.Legend.Left, p.Legend.ThumbnailWidth = true, true, vg.Points(10)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = text(8), text(7)
	}
	p.X.Min, p.X.Max, p.Y.Min = 0, story.length().Seconds(), 0
	p.Y.Max *= 1.35 // room for the legend
	if p.Y.Max == 0 {
		p.Y.Max = 1
	}
	p.Y.Label.Text = map[string]string{"reqps": "per second", "ops": "per second", "s": "seconds", "percentunit": "share"}[unit]
	ticks := plot.ConstantTicks{}
	for at := time.Duration(0); at <= story.length(); at += 15 * time.Second {
		ticks = append(ticks, plot.Tick{Value: at.Seconds(), Label: at.String()})
	}
	p.X.Tick.Marker = ticks
}
