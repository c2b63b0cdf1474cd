package bench

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"runtime"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that people with any colour vision tell apart.
var (
	blue   = color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	orange = color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
	grey   = color.RGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xff}
)

// title says what the picture was measured on.
func (b *bench) title() string {
	return fmt.Sprintf("Orders of one hot SKU through HTTP\n%s, %s, %d processors for everything",
		named("Redis", b.report.servers["redis"]), named("database", b.report.servers["mysql"]), runtime.GOMAXPROCS(0))
}

func named(what, server string) string {
	if server == "embedded" {
		return "embedded " + what
	}
	return server
}

// curve is a line of the picture.
type curve struct {
	name   string
	colour color.Color
	dashed bool
	value  func(point) float64
}

// drawSweep draws throughput above latency, over the same axis.
func drawSweep(w io.Writer, title string, points []point) error {
	throughput, err := panel(points, []curve{
		{"orders", blue, false, func(p point) float64 { return p.PerSecond }},
		{"empty workflows, for comparison", grey, true, func(p point) float64 { return p.EmptiesPerSecond }},
	})
	if err != nil {
		return err
	}
	throughput.Title.Text = title
	throughput.Y.Label.Text = "per second"
	throughput.Y.Min = 0
	latency, err := panel(points, []curve{
		{"99 % of the answers come sooner (p99)", orange, false, func(p point) float64 { return p.P99 }},
		{"half of the answers come sooner (p50)", blue, false, func(p point) float64 { return p.P50 }},
	})
	if err != nil {
		return err
	}
	latency.X.Label.Text = "orders under way at once"
	latency.Y.Label.Text = "milliseconds until the answer"
	latency.Y.Scale, latency.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)

	canvas := vgsvg.New(18*vg.Centimeter, 17*vg.Centimeter)
	whole := draw.New(canvas)
	whole.FillPolygon(color.White, []vg.Point{whole.Min, {X: whole.Max.X, Y: whole.Min.Y}, whole.Max, {X: whole.Min.X, Y: whole.Max.Y}})
	tiles := draw.Tiles{Rows: 2, Cols: 1, PadTop: vg.Points(6), PadBottom: vg.Points(6), PadRight: vg.Points(14), PadLeft: vg.Points(6), PadY: vg.Points(14)}
	panels := [][]*plot.Plot{{throughput}, {latency}}
	for row, places := range plot.Align(panels, tiles, whole) {
		panels[row][0].Draw(places[0])
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Who does not have the font that the texts were measured in has one that is as wide.
	_, err = w.Write(bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")))
	return err
}

// panel draws curves over how many order at once, on a logarithmic axis.
func panel(points []point, curves []curve) (*plot.Plot, error) {
	p := plot.New()
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xdd}, color.Gray{Y: 0xee}
	p.Add(grid)
	for _, c := range curves {
		places := make(plotter.XYs, len(points))
		for i, at := range points {
			places[i] = plotter.XY{X: float64(at.AtOnce), Y: c.value(at)}
		}
		line, dots, err := plotter.NewLinePoints(places)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width, dots.Color, dots.Shape, dots.Radius = c.colour, vg.Points(1.5), c.colour, draw.CircleGlyph{}, vg.Points(2)
		if c.dashed {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			p.Add(line)
			p.Legend.Add(c.name, line)
		} else {
			p.Add(line, dots)
			p.Legend.Add(c.name, line, dots)
		}
	}
	p.X.Scale = plot.LogScale{}
	ticks := make(plot.ConstantTicks, len(points))
	for i, at := range points {
		ticks[i] = plot.Tick{Value: float64(at.AtOnce), Label: strconv.Itoa(at.AtOnce)}
	}
	p.X.Tick.Marker = ticks
	p.Legend.Top, p.Legend.Left = true, true
	sansSerif(p)
	return p, nil
}

// decades are ticks at 1, 2, 5, 10, 20, ...
func decades(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := 0.001; decade <= high; decade *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if value := decade * step; value >= low && value <= high {
				ticks = append(ticks, plot.Tick{Value: value, Label: short(value)})
			}
		}
	}
	return ticks
}

// sansSerif sets every text in a font that is read well at this size.
func sansSerif(p *plot.Plot) {
	text := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	p.Title.TextStyle.Font = text(11)
	p.Title.Padding = vg.Points(8)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = text(10), text(9)
	}
	p.Legend.TextStyle.Font = text(10)
	p.Legend.Padding = vg.Points(2)
}
