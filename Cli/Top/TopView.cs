using Couic.Cli.Screen;
using Couic.Store;

namespace Couic.Cli.Top;

internal enum TopPage
{
    /// <summary>The busiest entries and tags.</summary>
    Overview,
    Entries,
    Tags,
    Interfaces,
    Peers,
}

/// <summary>What the operator has chosen: page, order, filter, pause. Keys change it.</summary>
internal sealed class TopView
{
    /// <summary>Longer text matches no tag and no network.</summary>
    private const int LongestFilter = 64;

    /// <summary>Orders by their names in the API.</summary>
    private static readonly (string Name, string Shown)[] Orders =
        [("rate", "rate"), ("packets", "packets"), ("last_hit", "last hit"), ("creation", "created"), ("expiration", "expiration")];

    private int _order;
    private string _filterBefore = "";

    public TopPage Page { get; private set; }

    /// <summary>The order of the entries, as the API names it.</summary>
    public string Order => Orders[_order].Name;

    public string OrderShown => Orders[_order].Shown;

    /// <summary>Text that a tag or network contains; empty for everything.</summary>
    public string Filter { get; private set; } = "";

    /// <summary>Whether keys go to the filter.</summary>
    public bool IsTyping { get; private set; }

    public bool IsPaused { get; private set; }

    public bool ShowsHelp { get; private set; }

    public bool IsEnding { get; private set; }

    /// <summary>Rows of the list above the first that is shown; the renderer limits it.</summary>
    public int Scroll { get; set; }

    /// <summary>Rows of the list that the last frame had room for.</summary>
    public int PageRows { get; set; } = 1;

    /// <summary>Whether an entry is shown.</summary>
    public bool Matches(TopEntry entry) =>
        Contains(entry.Entry.Cidr) || Contains(entry.Entry.Tag ?? TagRule.Untagged);

    public bool Matches(TopTag tag) => Contains(tag.Tag);

    /// <summary>Applies a key. Returns whether other entries are wanted now.</summary>
    public bool Press(Key key)
    {
        (string order, string filter) = (Order, Filter);
        if (key.Kind == KeyKind.Interrupt)
        {
            IsEnding = true;
        }
        else if (ShowsHelp)
        {
            ShowsHelp = false;
            IsEnding = key is { Character: 'q' };
        }
        else if (IsTyping)
        {
            Type(key);
        }
        else
        {
            Command(key);
        }

        return order != Order || filter != Filter;
    }

    private bool Contains(string text) => Filter.Length == 0 || text.Contains(Filter, StringComparison.OrdinalIgnoreCase);

    private void Type(Key key)
    {
        switch (key.Kind)
        {
            case KeyKind.Enter:
                IsTyping = false;
                break;
            case KeyKind.Escape:
                (IsTyping, Filter) = (false, _filterBefore);
                break;
            case KeyKind.Backspace:
                Filter = Filter.Length > 0 ? Filter[..^1] : Filter;
                break;
            case KeyKind.Character when Filter.Length < LongestFilter:
                Filter += key.Character;
                break;
            default:
                break;
        }

        Scroll = 0;
    }

    private void Command(Key key)
    {
        switch (key.Kind)
        {
            case KeyKind.Escape when Filter.Length > 0:
                Filter = "";
                break;
            case KeyKind.Escape:
                IsEnding = true;
                break;
            case KeyKind.Up:
                Scroll = Math.Max(0, Scroll - 1);
                break;
            case KeyKind.Down:
                Scroll++;
                break;
            case KeyKind.PageUp:
                Scroll = Math.Max(0, Scroll - PageRows);
                break;
            case KeyKind.PageDown:
                Scroll += PageRows;
                break;
            case KeyKind.Home:
                Scroll = 0;
                break;
            case KeyKind.End:
                Scroll = int.MaxValue / 2;
                break;
            case KeyKind.Tab:
                Show(Page + 1);
                break;
            case KeyKind.BackTab:
                Show(Page + Enum.GetValues<TopPage>().Length - 1);
                break;
            default:
                Command(key.Character);
                break;
        }
    }

    private void Command(char character)
    {
        switch (character)
        {
            case 'q':
                IsEnding = true;
                break;
            case 's':
                _order = (_order + 1) % Orders.Length;
                Scroll = 0;
                break;
            case '/':
                (IsTyping, _filterBefore) = (true, Filter);
                break;
            case 'p' or ' ':
                IsPaused = !IsPaused;
                break;
            case '?' or 'h':
                ShowsHelp = true;
                break;
            case 'k':
                Scroll = Math.Max(0, Scroll - 1);
                break;
            case 'j':
                Scroll++;
                break;
            case >= '1' and <= '5':
                Show((TopPage)(character - '1'));
                break;
            default:
                break;
        }
    }

    private void Show(TopPage page)
    {
        Page = (TopPage)((int)page % Enum.GetValues<TopPage>().Length);
        Scroll = 0;
    }
}
