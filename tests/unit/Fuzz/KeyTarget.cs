using Couic.Cli.Screen;

namespace Couic.Tests.Fuzz;

/// <summary>The bytes of a terminal: the same keys however they are split, no more keys than bytes, and no state that grows.</summary>
internal sealed class KeyTarget : FuzzTarget
{
    public override string Name => "keys";

    public override byte[][] Pieces { get; } = Words(
        "\e", "[", "O", "A", "B", "~", "[5~", "\e[A", "\e[6~", "\eOH", "\e[1;5C", "\e[200~", ";", "1", "q", "/", "\r", "\x7f", "\t", "\x03", "\xff", "\xc3\xa9",
        "\e[111111111111111111111111111111111111m");

    public override int MaxBytes => 200;

    public override string Check(byte[] input)
    {
        var whole = new KeyReader();
        List<Key> keys = Keys(whole, [input]);
        Require(keys.Count <= input.Length, $"{keys.Count} keys of {input.Length} bytes");
        Require(keys.TrueForAll(key => (key.Kind == KeyKind.Character) == (key.Character is >= ' ' and <= '~')), "a character that is none");
        for (int cut = 0; cut <= input.Length; cut++)
        {
            Require(Keys(new KeyReader(), [input[..cut], input[cut..]]).SequenceEqual(keys), $"other keys when cut at {cut}");
        }

        whole.EndSequence(keys);
        Require(!whole.IsPending, "something is left after the end");
        return string.Join(' ', keys.Select(key => key.Kind).Distinct().Order());
    }

    private static List<Key> Keys(KeyReader reader, byte[][] pieces)
    {
        var keys = new List<Key>();
        Array.ForEach(pieces, piece => reader.Read(piece, keys));
        return keys;
    }
}
