using System.Globalization;
using System.Text;

namespace Couic.Cli.Screen;

/// <summary>Turns frames into the bytes that change a terminal from one frame to the next: only lines that differ, in one update.</summary>
/// <param name="colour">Whether styles may use colours.</param>
internal sealed class FramePainter(bool colour)
{
    // ECMA-48 and xterm: alternate screen, cursor, clear. Synchronized updates are unknown to some terminals, which ignore them.
    public const string Enter = "\e[?1049h\e[?25l", Leave = "\e[?25h\e[?1049l";

    private const string BeginUpdate = "\e[?2026h", EndUpdate = "\e[?2026l", ClearAll = "\e[m\e[2J", ClearLine = "\e[K";

    private string[] _shown = [];
    private (int Width, int Height) _size;

    /// <summary>Draws the next frame as a whole: the terminal was used by another program.</summary>
    public void Forget() => _size = default;

    /// <summary>Empty when nothing differs.</summary>
    public string Paint(IReadOnlyList<ScreenLine> frame, int width, int height)
    {
        var text = new StringBuilder();
        if (_size != (width, height))
        {
            text.Append(ClearAll);
            _shown = new string[height];
            Array.Fill(_shown, "");
            _size = (width, height);
        }

        for (int row = 0; row < height; row++)
        {
            string line = row < frame.Count ? frame[row].ToAnsi(colour) : "";
            if (line != _shown[row])
            {
                // A full line is not followed by a clear, which would erase its last cell in a terminal that waits to wrap.
                bool isFull = row < frame.Count && frame[row].Left == 0;
                text.Append(CultureInfo.InvariantCulture, $"\e[{row + 1};1H").Append(line).Append(isFull ? "" : ClearLine);
                _shown[row] = line;
            }
        }

        return text.Length == 0 ? "" : BeginUpdate + text + EndUpdate;
    }
}
