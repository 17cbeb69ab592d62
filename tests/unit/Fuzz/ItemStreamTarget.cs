using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Couic.Api.Json;

namespace Couic.Tests.Fuzz;

/// <summary>A streamed body, as an array and as lines: the same items and the same end however it arrives in pieces.</summary>
internal sealed class ItemStreamTarget : FuzzTarget
{
    public override string Name => "items";

    public override int Rounds => 5_000;

    public override byte[][] Pieces { get; } = Utf8Words(
        "[", "]", ",", "{}", "{\"a\":1}", "[1,[2]]", "1", "-", "1.5e", "\"x\"", "\"\\u00", "\"\\ud800\"", "null", "tru", "\n", "\r\n", " ", "\t", "{", "}",
        "é", "\0", "[[", "\"", "]]");

    public override string Check(byte[] input)
    {
        var outcome = new StringBuilder();
        foreach (bool isLines in (bool[])[false, true])
        {
            (string Items, string End) whole = Read(input, isLines, input.Length);
            foreach (int piece in (int[])[1, 2, 3, 5, 16])
            {
                (string Items, string End) cut = Read(input, isLines, piece);
                Require(cut == whole, $"whole: {whole}, in pieces of {piece}: {cut}");
            }

            outcome.Append(whole.End).Append(' ').Append(Math.Min(3, whole.Items.Count(c => c == '\u001e'))).Append(' ');
        }

        CheckArray(input);
        return outcome.ToString();
    }

    /// <summary>What is a whole array is read as one, with its elements as they were written.</summary>
    private static void CheckArray(byte[] input)
    {
        (string items, string end) = Read(input, isLines: false, input.Length);
        if (end != "end" || !Utf8.IsValid(input)) // what is inside of an item is checked by who reads it
        {
            return;
        }

        using JsonDocument document = JsonDocument.Parse(input, new JsonDocumentOptions { MaxDepth = 128 });
        string expected = string.Concat(document.RootElement.EnumerateArray().Select(e => e.GetRawText() + '\u001e'));
        Require(expected == items, $"other items than {expected}");
    }

    private static (string Items, string End) Read(byte[] input, bool isLines, int piece)
    {
        var reader = new ItemReader(isLines);
        var items = new StringBuilder();
        int start = 0, end = 0;
        try
        {
            while (true)
            {
                ItemStep step = reader.Next(input.AsSpan(start, end - start), end == input.Length, out int consumed, out ReadOnlySpan<byte> item);
                switch (step)
                {
                    case ItemStep.Item:
                        items.Append(Encoding.UTF8.GetString(item)).Append('\u001e');
                        break;
                    case ItemStep.End:
                        return (items.ToString(), "end");
                    case ItemStep.More when end == input.Length:
                        throw new FuzzFault("it wants more behind the last byte");
                    case ItemStep.More:
                        end = Math.Min(input.Length, end + piece);
                        break;
                }

                start += consumed;
            }
        }
        catch (JsonException)
        {
            return (items.ToString(), "broken");
        }
    }
}
