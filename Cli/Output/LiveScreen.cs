namespace Couic.Cli.Output;

/// <summary>
/// Draws one picture over the other on a terminal, and one below the other elsewhere. Disposing brings the terminal back
/// as it was.
/// </summary>
internal sealed class LiveScreen : IDisposable
{
    // ECMA-48 and xterm: the second screen and back, cursor off and on, home, clear to the end of line and screen.
    private const string Enter = "\e[?1049h\e[?25l", Leave = "\e[?25h\e[?1049l", Home = "\e[H", ClearLine = "\e[K", ClearRest = "\e[J";

    private readonly CliContext _context;
    private readonly bool _decorate;
    private bool _entered;

    public LiveScreen(CliContext context)
    {
        _context = context;
        _decorate = context.Decorates;
    }

    public void Draw(IEnumerable<string> lines)
    {
        if (_decorate)
        {
            _context.Out.Write(_entered ? Home : Enter + Home);
            _entered = true;
        }

        foreach (string line in lines)
        {
            _context.Out.WriteLine(_decorate ? line + ClearLine : line);
        }

        _context.Out.Write(_decorate ? ClearRest : "\n");
        _context.Flush();
    }

    public void Dispose()
    {
        if (_entered)
        {
            _context.Out.Write(Leave);
            _context.Flush();
        }
    }
}
