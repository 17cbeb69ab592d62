namespace Couic.Tests.Fuzz;

/// <summary>Makes inputs out of others.</summary>
internal sealed class Mutator(Random random, byte[][] pieces, int maxBytes)
{
    private static readonly byte[] Odd = [0, 1, 0x7f, 0x80, 0xff, (byte)'\r', (byte)'\n', (byte)'0', (byte)' ', (byte)'"'];

    /// <summary>One to eight changes, more rarely many.</summary>
    public byte[] Mutate(byte[] input, byte[] other)
    {
        var bytes = new List<byte>(input);
        for (int changes = 1 + random.Next(random.Next(4) == 0 ? 8 : 2); changes > 0; changes--)
        {
            Change(bytes, other);
        }

        return [.. bytes.Take(maxBytes)];
    }

    private void Change(List<byte> bytes, byte[] other)
    {
        int at = random.Next(bytes.Count + 1);
        int length = Math.Min(bytes.Count - at, 1 + random.Next(random.Next(4) == 0 ? 200 : 4));
        switch (random.Next(bytes.Count == 0 ? 2 : 11))
        {
            case 0:
                bytes.InsertRange(at, Piece());
                break;
            case 1:
                int from = random.Next(other.Length + 1);
                bytes.InsertRange(at, other[from..random.Next(from, other.Length + 1)]);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                bytes.InsertRange(at, Piece());
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                List<byte> part = bytes.GetRange(at, length);
                bytes.RemoveRange(at, length);
                bytes.InsertRange(random.Next(bytes.Count + 1), part);
                break;
            case 7:
                bytes[random.Next(bytes.Count)] ^= (byte)(1 << random.Next(8));
                break;
            case 8:
                bytes[random.Next(bytes.Count)] = Odd[random.Next(Odd.Length)];
                break;
            case 9:
                bytes[random.Next(bytes.Count)] = (byte)random.Next(256);
                break;
            default:
                bytes[random.Next(bytes.Count)] += (byte)(random.Next(2) == 0 ? 1 : 255);
                break;
        }
    }

    private byte[] Piece() => pieces[random.Next(pieces.Length)];
}
